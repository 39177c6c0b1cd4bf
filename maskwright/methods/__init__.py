"""One file per idea: how a mask is made or mended. Each is a frozen record of settings that you can call."""

"""The command. One file per word; nothing heavy is imported before a word needs it."""

"""`python -m maskwright` is `maskwright`."""

from maskwright.cli.main import main

raise SystemExit(main())

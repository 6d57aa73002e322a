"""The command `tabstop` as a process of its own, from this checkout: `python -m tests.cli.run_tabstop …`."""

from tabstop.cli.main import main

if __name__ == "__main__":
    main()

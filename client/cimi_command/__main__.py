"""``python -m cimi_command``."""

from cimi_command.tree import main

if __name__ == "__main__":
    main(prog_name="cimi")

"""`python -m nncodec` is the command line."""

from nncodec.cli import main

if __name__ == "__main__":
    main()

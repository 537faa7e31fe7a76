"""`python -m adapters.cli`, the same as `nusabus`."""

from adapters.cli.app import main

if __name__ == "__main__":
    main()

"""`python -m tools.broker`."""

from tools.broker.embedded import main

if __name__ == "__main__":
    main()

"""`python -m workers`: serve all queues, or those named with `--queues`."""

if __name__ == "__main__":
    # Only here: the processes that open documents import this file again, and need none of the rest.
    from workers.command import main

    main()

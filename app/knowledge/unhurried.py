"""What a stage writes needs no wait for the disk: the move that follows waits for it too, and without the move it is written again."""

UNHURRIED = "(SELECT set_config('synchronous_commit', 'off', true)) AS unhurried"
"""A row to join in a statement that writes: its transaction, and no other, is over before the disk has it.

Postgres writes its log in order, so whatever is kept of later transactions, this one is kept before. Only for what nobody has been
told of before the job moves on.
"""

"""Real Postgres, Valkey, SeaweedFS and Textract-compatible server as child processes, for a machine that has none."""

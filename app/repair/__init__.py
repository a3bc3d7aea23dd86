"""Finding what has come apart between Postgres, Redis and the bucket, and putting it right again."""

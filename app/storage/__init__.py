"""Object storage: documents and results, in S3."""

"""Who and what a document speaks of: finding mentions, giving them one form, and telling which mean the same."""

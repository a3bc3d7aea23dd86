"""Jobs: runs of the pipeline over documents, the states they are in, and the only way to change them."""

"""What a document's text is made of, and how it is cut into passages: pure, with no input or output of its own."""

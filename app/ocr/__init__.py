"""Reading pages: the protocol every engine keeps, AWS Textract behind it, and the shape of what comes back."""

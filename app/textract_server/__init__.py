"""A server that speaks Textract's protocol and reads pages with Tesseract. It stands alone: nothing of Quire is imported."""

"""The formats that results are given in. Pure makers: files and pages in, files out."""

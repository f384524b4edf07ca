"""Files as people export them: CSV in the encodings of the field, and XLSX."""

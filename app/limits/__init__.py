"""How much one key and one project may ask for."""

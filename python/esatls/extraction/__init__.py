"""What a line says: its kind and its fields."""

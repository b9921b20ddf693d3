"""From message texts to events: kinds and fields."""

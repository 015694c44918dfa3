"""What one model believes of texts, as something that another model can learn."""

"""What a training needs to go on after a crash, written whole or not at all."""

"""What an operator should look at."""

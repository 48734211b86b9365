"""What Compose says of an application, and what that means for a move."""

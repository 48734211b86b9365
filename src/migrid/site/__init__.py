"""The site: its users, their homes and credentials, and its configuration."""

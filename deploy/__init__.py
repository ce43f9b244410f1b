"""How the service is packaged and deployed."""

"""Published versions: a store, its addresses, publishing and rolling back."""

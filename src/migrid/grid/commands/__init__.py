"""The commands of `mig-grid`: what they ask for, call and print. No logic of a grid is here."""

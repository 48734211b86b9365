"""The commands of `mig`: what they ask for, call and print. No logic of the site is here."""

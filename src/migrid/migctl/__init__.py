"""MIGCTL: what runs inside an application and moves it to another grid, or takes a snapshot of it there."""

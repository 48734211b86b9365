"""The MIG assembly as an application has it: the services PS8 and MIGCTL, and the files that they read."""

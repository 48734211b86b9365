"""The images of the MIG assembly: what is in each, how a grid builds one, and how it takes a released one."""

"""PS8, the port switch: the service of an application through which its outside traffic comes in."""

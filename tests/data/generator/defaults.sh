cd mig/install/
./generateconfs.py

"""Where faces and the command line ask: snapshots out, asks in, one table of who may what."""

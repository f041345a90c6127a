"""What touches the machine: commands, files, sockets. Policy does not belong here.

Every call has a deadline; a failure names the command and what it said.
"""

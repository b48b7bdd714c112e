"""Call: ``repletion call``, one request sent to any CDS Hooks service, and what came of it.

::

    message.py   the request of a file, its times moved to the present
    token.py     the JWT of a client
    address.py   where discovery and the services are; what may not be called
    wire.py      one HTTP request, one answer, within a time
    meaning.py   what a status means, in words, and the exit code
    show.py      what is printed: no secret, no control character
    call.py      discovery, the call, the exit code
    command.py   the command line
    refusal.py   why a command does nothing

For an engineer whose record says "nothing happens". Nothing here knows magnesium.
"""

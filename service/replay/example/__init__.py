"""Example: a made-up export, for a first look at a replay.

::

    people.py   who they are and what ails them: invented names, a mix of a hospital's wards
    course.py   what is measured and ordered while they are there, hour by hour
    shape.py    the FHIR resources of it, in the shapes and with the faults that real exports have
    write.py    the files

Nobody in it lives. The same seed gives the same bytes. The numbers are chosen so that rules have
something to say, not to tell how often anything happens.
"""

from service.replay.example.write import ADULTS, ExampleError, write_example

__all__ = ["ADULTS", "ExampleError", "write_example"]

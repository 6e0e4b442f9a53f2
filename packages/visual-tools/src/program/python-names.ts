/** Names that Python defines by itself: a program that uses one is outside of the tool language, not mistaken about a name. */
export const pythonBuiltins: ReadonlySet<string> = new Set(
  (
    "abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr classmethod compile complex delattr dict dir " +
    "divmod enumerate eval exec exit filter float format frozenset getattr globals hasattr hash help hex id input int isinstance " +
    "issubclass iter len list locals map max memoryview min next object oct open ord pow print property quit range repr reversed " +
    "round set setattr slice sorted staticmethod str sum super tuple type vars zip copyright credits license Ellipsis " +
    "NotImplemented __import__ __build_class__ __debug__ __doc__ __loader__ __name__ __package__ __spec__ __builtins__ " +
    "BaseException Exception ArithmeticError AssertionError AttributeError EOFError ImportError IndexError KeyError LookupError " +
    "MemoryError NameError NotImplementedError OSError OverflowError RuntimeError StopIteration SyntaxError SystemError SystemExit " +
    "TypeError ValueError ZeroDivisionError KeyboardInterrupt GeneratorExit Warning"
  ).split(" "),
);

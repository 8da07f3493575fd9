"""The pieces of `questions.py`: data, engines, questions, and what is measured. `questions.py` tells how to run them."""

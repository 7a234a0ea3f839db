"""Rules of what people are told of: judged after each report, told by webhook, e-mail and chat."""

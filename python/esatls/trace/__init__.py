"""What a log says of one mail, hop by hop, with the lines that say it.

`family` finds the messages and what they were made from, `source_lines` reads the files a second time for their lines, `story` puts both together,
`text` shows it.
"""

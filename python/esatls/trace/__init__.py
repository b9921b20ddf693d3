"""What a log says about one mail, hop by hop, with the lines that say it.

`family` finds the messages, with those that they were made from and those made from them; `source_lines` reads the files a second time for their lines;
`story` puts both together; `text` shows the result.
"""

"""Native sets as files of annotation tools, to be corrected there."""

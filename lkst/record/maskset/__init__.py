# SPDX-License-Identifier: GPL-2.0-or-later
"""What is recorded: masksets, the handlers and filters in them."""

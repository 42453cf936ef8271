# SPDX-License-Identifier: GPL-2.0-or-later
# Stands in for OpenWrt's rules.mk and package.mk: `make install-PACKAGE DEST=… PKG_BUILD_DIR=…` does
# what the package's install does, `make show-PACKAGE` prints its fields.
INCLUDE_DIR := $(TOPDIR)/include
INSTALL_DIR := install -d -m0755
INSTALL_BIN := install -m0755
INSTALL_DATA := install -m0644
INSTALL_CONF := install -m0600

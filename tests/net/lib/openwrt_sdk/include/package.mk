# SPDX-License-Identifier: GPL-2.0-or-later
define Install
install-$(1):
	$(call Package/$(1)/install,$(DEST))
endef

define Show
TITLE :=
DEPENDS :=
$(call Package/$(1))
show-$(1): DEPENDS := $$(DEPENDS)
show-$(1): VARIANT := $$(VARIANT)
show-$(1):
	@printf '%s\n' 'name $(1)' 'version $(PKG_VERSION)-r$(PKG_RELEASE)' 'variant $$(VARIANT)' \
		'depends $$(DEPENDS)' 'license $(PKG_LICENSE)' \
		'flags $(MAKE_FLAGS)'
	@printf 'conffile %s\n' $(strip $(Package/$(1)/conffiles))
endef

define BuildPackage
$(call Install,$(1))
$(call Show,$(1))
endef

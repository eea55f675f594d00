# Run by CPack before each package is made of a component's folder: what Debian asks of /usr/share/doc/PACKAGE.
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(package ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(usr ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/usr)
  if(NOT EXISTS ${usr})
    continue()
  endif()
  execute_process(COMMAND ${CPACK_WILDRAYZER_SOURCE}/scripts/debian-files ${usr} ${package} ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}
                          ${CPACK_DEBIAN_PACKAGE_MAINTAINER}
                  COMMAND_ERROR_IS_FATAL ANY)
endforeach()

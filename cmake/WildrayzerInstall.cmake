# `cmake --install` and find_package(wildrayzer) for other projects.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
get_property(modules GLOBAL PROPERTY WILDRAYZER_MODULES)
install(TARGETS ${modules} EXPORT wildrayzerTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS wildrayzer RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# The model that the program uses when none is named, and its model card.
install(DIRECTORY models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/wildrayzer)
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY src/wildrayzer DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "testing" EXCLUDE PATTERN "cli" EXCLUDE PATTERN "*_test_files.h" EXCLUDE)
install(EXPORT wildrayzerTargets NAMESPACE wildrayzer:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/wildrayzer)
configure_package_config_file(cmake/wildrayzerConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/wildrayzerConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/wildrayzer)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/wildrayzerConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wildrayzerConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/wildrayzerConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/wildrayzer)

# `cmake --install`, in components: `program` (with its model and documentation), `development` (find_package(wildrayzer) for
# other projects) and `python` (python/CMakeLists.txt). scripts/package makes packages of them (cmake/WildrayzerPackage.cmake).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS wildrayzer RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
# The model that the program uses when none is named, and its model card.
install(DIRECTORY models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/wildrayzer COMPONENT program)
# As in the repository, so that links between them hold.
install(FILES LICENSE NOTICE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs configs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY examples/photos DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT program)
# The manual page and completion are what the program says of itself.
install(CODE "set(wrz_program \"$<TARGET_FILE:wildrayzer>\")
set(wrz_data \"${CMAKE_INSTALL_DATADIR}\")
set(wrz_manuals \"${CMAKE_INSTALL_MANDIR}\")" COMPONENT program)
install(SCRIPT cmake/InstallWhatTheProgramSays.cmake COMPONENT program)

get_property(modules GLOBAL PROPERTY WILDRAYZER_MODULES)
install(TARGETS ${modules} EXPORT wildrayzerTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY src/wildrayzer DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
        FILES_MATCHING PATTERN "*.h" PATTERN "testing" EXCLUDE PATTERN "cli" EXCLUDE PATTERN "*_test_files.h" EXCLUDE)
set(package_files ${CMAKE_INSTALL_LIBDIR}/cmake/wildrayzer)
install(EXPORT wildrayzerTargets NAMESPACE wildrayzer:: DESTINATION ${package_files} COMPONENT development)
configure_package_config_file(cmake/wildrayzerConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/wildrayzerConfig.cmake
                              INSTALL_DESTINATION ${package_files})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/wildrayzerConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wildrayzerConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/wildrayzerConfigVersion.cmake
        DESTINATION ${package_files} COMPONENT development)
